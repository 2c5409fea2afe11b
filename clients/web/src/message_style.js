/** What a turn looks like. */
import { css } from "lit";

export const messageStyle = css`
  :host {
    display: block;
    padding: 1.1rem 0 0.9rem;
  }

  :host(:not(:first-of-type)) {
    border-top: 1px solid var(--line);
  }

  h3 {
    margin: 0 0 0.3rem;
    color: var(--muted);
    font-size: 0.75rem;
    font-weight: 600;
    letter-spacing: 0.02em;
  }

  p {
    margin: 0;
  }

  .question {
    padding-left: 0.8rem;
    border-left: 2px solid var(--accent);
  }

  .head {
    display: flex;
    align-items: center;
    justify-content: space-between;
    color: var(--muted);
  }

  .head h3 {
    margin: 0;
  }

  .head button:hover:not(:disabled) {
    color: var(--text);
  }

  .question p {
    font-weight: 550;
    white-space: pre-wrap;
    overflow-wrap: anywhere;
  }

  .answer {
    margin-top: 0.7rem;
    padding-left: calc(0.8rem + 2px);
  }

  .pictures {
    display: flex;
    flex-wrap: wrap;
    gap: 0.5rem;
    margin: 0.2rem 0 0.5rem;
    padding: 0;
    list-style: none;
    font-size: 0.75rem;
    color: var(--muted);
  }

  .pictures li {
    width: 5rem;
  }

  .pictures img {
    display: block;
    width: 5rem;
    height: 5rem;
    border-radius: 4px;
    background: var(--film);
    object-fit: contain;
  }

  .pictures span {
    display: block;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }

  .text {
    overflow-wrap: anywhere;
  }

  .text > :first-child {
    margin-top: 0;
  }

  .text > :last-child {
    margin-bottom: 0;
  }

  .text p,
  .text ul,
  .text ol,
  .text pre,
  .text table,
  .text blockquote {
    margin: 0.6em 0;
  }

  .text ul,
  .text ol {
    padding-left: 1.4em;
  }

  .text :is(h1, h2, h3, h4, h5, h6) {
    margin: 0.9em 0 0.3em;
    color: inherit;
    font-size: 1em;
    font-weight: 650;
    letter-spacing: 0;
  }

  .text code,
  .text pre {
    border-radius: 4px;
    background: var(--raised);
    font-family: var(--mono);
    font-size: 0.9em;
  }

  .text code {
    padding: 0.1em 0.3em;
  }

  .text pre {
    overflow-x: auto;
    padding: 0.6rem 0.8rem;
  }

  .text pre code {
    padding: 0;
  }

  .text a {
    color: var(--accent);
  }

  .text blockquote {
    margin-inline: 0;
    padding-left: 0.8em;
    border-left: 2px solid var(--line);
    color: var(--muted);
  }

  .text table {
    display: block;
    overflow-x: auto;
    border-collapse: collapse;
  }

  .text :is(th, td) {
    padding: 0.25rem 0.6rem;
    border: 1px solid var(--line);
    text-align: left;
  }

  .waiting {
    display: flex;
    align-items: center;
    gap: 0.6em;
    color: var(--muted);
  }

  .pulse {
    display: inline-block;
    width: 0.5rem;
    height: 0.5rem;
    border-radius: 50%;
    background: var(--accent);
    animation: breathe 1.6s ease-in-out infinite;
  }

  @keyframes breathe {
    50% {
      opacity: 0.25;
    }
  }

  .mark {
    margin-top: 0.7rem;
    padding: 0.5rem 0.75rem;
    border-left: 3px solid;
    border-radius: 0 var(--radius) var(--radius) 0;
  }

  .mark + .text {
    margin-top: 0.7rem;
  }

  .mark strong {
    display: flex;
    align-items: center;
    gap: 0.45em;
    font-weight: 650;
  }

  .mark p {
    margin-top: 0.15rem;
    color: var(--text);
  }

  .mark.cut {
    background: var(--warn-wash);
    color: var(--warn);
  }

  .mark.failed {
    background: var(--danger-wash);
    color: var(--danger);
  }

  .mark.stopped {
    border-color: var(--muted);
    background: var(--raised);
    color: var(--text);
  }

  .mark .detail {
    color: var(--muted);
    font-size: var(--small);
  }

  .remedy {
    display: flex;
    flex-wrap: wrap;
    gap: 0.5rem;
    margin-top: 0.5rem;
    color: var(--text);
  }

  .actions {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.15rem;
    margin: 0.35rem 0 0 -0.5rem;
    color: var(--muted);
    font-size: var(--small);
  }

  .actions button {
    padding-inline: 0.5rem;
  }

  .actions button:hover:not(:disabled) {
    color: var(--text);
  }

  .facts {
    margin-left: auto;
    font-variant-numeric: tabular-nums;
  }

  .seen {
    margin-top: 0.2rem;
    color: var(--muted);
    font-size: var(--small);
  }

  .seen summary {
    display: list-item;
    width: fit-content;
    margin-left: -0.5rem;
    padding: 0.35rem 0.5rem;
    list-style-position: inside;
  }

  .seen dl {
    margin: 0.2rem 0 0.4rem;
  }

  .seen dt {
    color: var(--text);
    font-weight: 600;
  }

  .seen dd {
    margin: 0 0 0.5rem;
    font-variant-numeric: tabular-nums;
  }

  .seen .warning {
    color: var(--warn);
  }
`;
