/** Which class a tag of ours is. */
import type { App } from "./app.js";
import type { Composer } from "./composer.js";
import type { ConversationView } from "./conversation_view.js";
import type { KeyDialog } from "./key_dialog.js";
import type { Message } from "./message.js";
import type { Stage } from "./stage.js";
import type { StartOverDialog } from "./start_over_dialog.js";

declare global {
  interface HTMLElementTagNameMap {
    "huatuo-app": App;
    "huatuo-composer": Composer;
    "huatuo-conversation": ConversationView;
    "huatuo-key-dialog": KeyDialog;
    "huatuo-message": Message;
    "huatuo-stage": Stage;
    "huatuo-start-over-dialog": StartOverDialog;
  }
}
