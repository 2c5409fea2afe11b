/** What the viewer looks like. */
import { css } from "lit";

export const viewerStyle = css`
  :host {
    display: flex;
    flex-direction: column;
    min-width: 0;
    min-height: 0;
    background: var(--bg);
  }

  .tools {
    display: flex;
    flex: none;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.15rem;
    padding: 0.3rem 0.5rem;
    border-bottom: 1px solid var(--line);
    background: var(--panel);
  }

  .presets {
    display: flex;
    flex: 1 0 100%;
    gap: 0.15rem;
    overflow-x: auto;
    padding: 2px;
    scrollbar-width: none;
  }

  .tools button {
    flex: none;
    padding: 0.25rem 0.5rem;
  }

  .tools button[aria-pressed="true"] {
    background: var(--accent-wash);
    color: var(--accent);
  }

  .tools hr {
    flex: none;
    align-self: stretch;
    width: 1px;
    margin: 0.2rem 0.3rem;
    border: 0;
    background: var(--line);
  }

  .tools .model-switch {
    margin-left: auto;
  }

  kbd {
    color: var(--muted);
    font: 0.6875rem var(--mono);
  }

  [aria-pressed="true"] kbd {
    color: inherit;
  }

  @media (pointer: coarse) {
    kbd {
      display: none;
    }
  }

  @media (max-width: 40rem) {
    .tools {
      padding: 0.2rem 0.3rem;
    }

    .tools button {
      min-width: 2.5rem;
    }

    .tools hr,
    /* Still the button's name. */
    .model-switch span {
      position: absolute;
      width: 1px;
      overflow: hidden;
      clip-path: inset(50%);
    }
  }

  .film {
    position: relative;
    display: flex;
    flex: 1;
    flex-direction: column;
    min-height: 0;
  }

  huatuo-stage {
    flex: 1;
  }

  huatuo-stage[hidden] {
    display: none;
  }

  .note {
    position: absolute;
    top: 0.6rem;
    left: 50%;
    display: flex;
    align-items: center;
    gap: 0.7rem;
    max-width: calc(100% - 1.5rem);
    padding: 0.4rem 0.8rem;
    transform: translateX(-50%);
    border-radius: var(--radius);
    background: var(--panel);
    color: var(--muted);
    font-size: var(--small);
  }

  .note.failed {
    top: 50%;
    flex-direction: column;
    align-items: flex-start;
    gap: 0.45rem;
    width: 26rem;
    padding: 0.9rem 1.1rem;
    transform: translate(-50%, -50%);
    border: 1px solid var(--danger);
    background: var(--danger-wash);
    color: var(--text);
  }

  .note p {
    margin: 0;
  }

  .note strong {
    color: var(--danger);
  }

  .frames {
    display: flex;
    flex: none;
    align-items: center;
    gap: 0.7rem;
    padding: 0.2rem 0.7rem;
    border-top: 1px solid var(--line);
    background: var(--panel);
    font-size: var(--small);
  }

  .frames input {
    flex: 1;
    min-width: 0;
    height: 1.75rem;
    margin: 0;
    accent-color: var(--accent);
  }

  .frames output {
    font-variant-numeric: tabular-nums;
    white-space: nowrap;
  }

  .empty {
    display: flex;
    flex: 1;
    flex-direction: column;
    align-items: center;
    justify-content: center;
    gap: 0.9rem;
    min-height: 0;
    overflow: auto;
    padding: 1.5rem;
    color: var(--muted);
    text-align: center;
  }

  .empty svg {
    width: 2.5rem;
    height: 2.5rem;
    stroke-width: 0.8;
  }

  .empty p {
    max-width: 26rem;
    margin: 0;
  }

  .empty huatuo-chooser {
    justify-content: center;
    color: var(--text);
  }
`;
