/** Starts the page, in its reader's language and colours: what `app.js` defines is drawn after this. */
import "./app.js";
import { Preferences } from "./preferences.js";
import { chosenLanguage, setLanguage } from "./words.js";

const preferences = new Preferences();
document.documentElement.dataset.theme = preferences.theme;
setLanguage(preferences.language ?? chosenLanguage(navigator.languages));
