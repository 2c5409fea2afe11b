/** What a dialog looks like. */
import { css } from "lit";

export const dialogStyle = css`
  dialog {
    width: min(26rem, calc(100vw - 2rem));
    padding: 1.25rem 1.4rem 1.1rem;
    border: 1px solid var(--edge);
    border-radius: calc(var(--radius) + 2px);
    background: var(--panel);
    color: var(--text);
  }

  dialog::backdrop {
    background: rgb(0 0 0 / 60%);
  }

  h2 {
    margin: 0 0 0.5rem;
    font-size: 1.0625rem;
    font-weight: 600;
  }

  p {
    margin: 0 0 0.8rem;
    color: var(--muted);
    font-size: 0.875rem;
  }

  .choices {
    display: flex;
    flex-wrap: wrap;
    justify-content: flex-end;
    gap: 0.5rem;
    margin-top: 1rem;
  }
`;
