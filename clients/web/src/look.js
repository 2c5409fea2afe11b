/** What controls look like, for every component: a shadow tree does not inherit rules, only custom properties. */
import { css } from "lit";

export const look = css`
  *,
  ::before,
  ::after {
    box-sizing: border-box;
  }

  button,
  summary,
  .button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 0.4em;
    min-height: 2rem;
    padding: 0.25rem 0.65rem;
    border: 1px solid transparent;
    border-radius: var(--radius);
    background: none;
    color: inherit;
    font: inherit;
    font-size: var(--small);
    line-height: 1.2;
    white-space: nowrap;
    cursor: pointer;
    user-select: none;
  }

  button:hover:not(:disabled),
  summary:hover {
    background: var(--raised);
  }

  button:disabled {
    color: var(--muted);
    cursor: default;
    opacity: 0.65;
  }

  button.primary {
    background: var(--accent);
    color: var(--on-accent);
    font-weight: 600;
  }

  button.primary:hover:not(:disabled) {
    background: color-mix(in srgb, var(--accent) 85%, var(--text));
  }

  button.primary:disabled {
    background: var(--raised);
    color: var(--muted);
  }

  button.outlined {
    border-color: var(--edge);
  }

  :focus {
    outline: none;
  }

  :focus-visible {
    outline: 2px solid var(--focus);
    outline-offset: 2px;
  }

  svg.icon {
    width: 1.0625em;
    height: 1.0625em;
    flex: none;
    fill: none;
    stroke: currentcolor;
    stroke-width: 1.5;
    stroke-linecap: round;
    stroke-linejoin: round;
  }

  .unseen {
    position: absolute;
    width: 1px;
    height: 1px;
    margin: -1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }

  @media (pointer: coarse) {
    button,
    summary {
      min-height: 2.75rem;
      min-width: 2.75rem;
    }
  }

  @media (prefers-reduced-motion: reduce) {
    *,
    ::before,
    ::after {
      animation: none !important;
      transition: none !important;
    }
  }
`;
