// Where the page begins.

import { render } from "preact";

import { App } from "./app";
import { forgetFormerTrees } from "./forget";
import { listenToKeys } from "./keys/listen";
import { followAddress, parse, route } from "./route";
import { takeFromAddress } from "./session";
import { begin, start } from "./store/desk";
import "./style/base.css";
import "./style/controls.css";
import "./style/frame.css";
import "./style/list.css";
import "./style/detail.css";
import "./style/views.css";
import "./style/data.css";

forgetFormerTrees();
// Before anything is drawn: a token must not stay in the address bar.
takeFromAddress();
route.value = parse(location.hash);
followAddress(() => {
  // A sign-in link opened in a tab that has the page already only changes the fragment.
  if (!takeFromAddress()) return false;
  route.value = parse(location.hash);
  begin();
  return true;
});
start();
listenToKeys();

const root = document.getElementById("page");
if (root !== null) render(<App />, root);
