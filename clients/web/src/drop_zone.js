/** Whether files are dragged over the window. The strip takes them; this only lets the page show that it would. */

/** A Lit controller. */
export class DropZone {
  isOver = false;

  #host;

  /** @param {import("lit").ReactiveControllerHost} host */
  constructor(host) {
    this.#host = host;
    host.addController(this);
  }

  hostConnected() {
    addEventListener("dragover", this.#over);
    addEventListener("dragleave", this.#left);
    addEventListener("drop", this.#dropped);
  }

  hostDisconnected() {
    removeEventListener("dragover", this.#over);
    removeEventListener("dragleave", this.#left);
    removeEventListener("drop", this.#dropped);
  }

  /** @param {DragEvent} event */
  #over = (event) => {
    if (event.dataTransfer?.types.includes("Files")) this.#show(true);
  };

  /** @param {DragEvent} event */
  #left = (event) => {
    // Between two elements of the page there is one that is entered.
    if (event.relatedTarget === null) this.#show(false);
  };

  #dropped = () => this.#show(false);

  /** @param {boolean} isOver */
  #show(isOver) {
    if (isOver === this.isOver) return;
    this.isOver = isOver;
    this.#host.requestUpdate();
  }
}
