/** Bytes of a server-sent event stream -> the data of its events, however the bytes were cut on their way. */

/**
 * One stream, read from its first byte to its last. Names, ids and comments of events are passed over: the server's
 * chat streams have none.
 */
export class EventStream {
  // A byte order mark at the head is dropped, as the standard wants.
  #decoder = new TextDecoder();
  #line = "";
  #afterReturn = false;
  /** @type {string[]} */
  #data = [];

  /**
   * The data of the events that end in these bytes. What is unfinished waits for more.
   * @param {Uint8Array} bytes
   * @returns {string[]}
   */
  push(bytes) {
    const lines = (this.#line + this.#text(bytes)).split(/\r\n|\n|\r/);
    this.#line = lines.pop() ?? "";
    return lines.flatMap((line) => this.#ended(line));
  }

  /**
   * A return at the end of one piece and a newline at the head of the next are one end of line.
   * @param {Uint8Array} bytes
   */
  #text(bytes) {
    const text = this.#decoder.decode(bytes, { stream: true });
    if (text === "") return "";
    const second = this.#afterReturn && text.startsWith("\n");
    this.#afterReturn = text.endsWith("\r");
    return second ? text.slice(1) : text;
  }

  /**
   * @param {string} line
   * @returns {string[]} the event that this line ends, if it ends one
   */
  #ended(line) {
    if (line === "") {
      const event = this.#data;
      this.#data = [];
      return event.length > 0 ? [event.join("\n")] : [];
    }
    if (line === "data") this.#data.push("");
    if (line.startsWith("data:")) this.#data.push(line.slice(line[5] === " " ? 6 : 5));
    return [];
  }
}
