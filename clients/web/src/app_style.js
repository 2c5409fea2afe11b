/** How the page is divided: two panes side by side, one above the other on a tablet, one at a time on a phone. */
import { css } from "lit";

export const appStyle = css`
  :host {
    display: flex;
    flex-direction: column;
    height: 100vh;
    height: 100dvh;
    background: var(--bg);
  }

  main {
    display: grid;
    flex: 1;
    grid-template: "picture talk" minmax(0, 1fr) "picture ask" auto / minmax(0, 1.5fr) minmax(24rem, 1fr);
    min-height: 0;
  }

  .picture {
    display: flex;
    grid-area: picture;
    flex-direction: column;
    min-width: 0;
    min-height: 0;
    border-right: 1px solid var(--line);
    background: var(--bg);
  }

  huatuo-viewer {
    flex: 1;
    min-height: 0;
  }

  huatuo-strip {
    flex: none;
  }

  .talk {
    grid-area: talk;
    min-width: 0;
    min-height: 0;
    background: var(--panel);
  }

  huatuo-conversation {
    height: 100%;
  }

  .ask {
    grid-area: ask;
    min-width: 0;
    padding: 0.5rem 1.25rem 0.6rem;
    border-top: 1px solid var(--line);
    background: var(--panel);
  }

  huatuo-context-meter {
    display: block;
  }

  .panes {
    display: none;
  }

  footer {
    display: flex;
    flex-wrap: wrap;
    justify-content: center;
    gap: 0 1.2rem;
    padding: 0.25rem 1rem;
    border-top: 1px solid var(--line);
    background: var(--panel);
    color: var(--muted);
    font-size: 0.75rem;
    text-align: center;
  }

  footer .demo {
    color: var(--warn);
    font-weight: 600;
  }

  .drop {
    position: fixed;
    z-index: 5;
    display: grid;
    inset: 0;
    place-items: center;
    border: 2px dashed var(--accent);
    background: rgb(0 0 0 / 70%);
    color: #fff;
    font-size: 1.125rem;
    pointer-events: none;
  }

  .skip {
    position: absolute;
    z-index: 4;
    top: 0.4rem;
    left: -100vw;
    background: var(--raised);
  }

  .skip:focus {
    left: 0.5rem;
  }

  @media (max-width: 60rem) {
    main {
      grid-template:
        "picture" minmax(0, 5fr)
        "talk" minmax(0, 5fr)
        "ask" auto
        / minmax(0, 1fr);
    }

    .picture {
      border-right: 0;
      border-bottom: 1px solid var(--line);
    }
  }

  @media (max-width: 40rem), (max-height: 32rem) and (max-width: 60rem) {
    main {
      grid-template: "pane" minmax(0, 1fr) "ask" auto / minmax(0, 1fr);
    }

    .picture,
    .talk {
      grid-area: pane;
    }

    .picture {
      border-bottom: 0;
    }

    main[data-pane="picture"] .talk,
    main[data-pane="conversation"] .picture {
      display: none;
    }

    .panes {
      display: flex;
      border-bottom: 1px solid var(--line);
      background: var(--panel);
    }

    .panes button {
      flex: 1;
      border-radius: 0;
      border-bottom: 2px solid transparent;
      color: var(--muted);
      font-size: 0.875rem;
    }

    .panes button[aria-pressed="true"] {
      border-bottom-color: var(--accent);
      color: var(--text);
    }

    .panes button:focus-visible {
      outline-offset: -3px;
    }

    .ask {
      padding: 0.4rem 0.75rem 0.5rem;
    }
  }
`;
