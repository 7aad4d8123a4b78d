// The live page: follows the demo's state and shows it as figures and as worlds.
import { follow } from "./feed.js";
import * as panel from "./panel.js";
import { Stage } from "./stage.js";

const byId = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search);
let latest = null;
let chosen = asked.get("world");
export let stage = null;

try {
  stage = new Stage(byId("canvas"), showLoading, Number(asked.get("ratio")) || undefined);
} catch {
  showLoading("This browser has no WebGL; the figures work without it.");
}

function showLoading(text) {
  byId("loading").hidden = !text;
  byId("loading").textContent = text;
}

function pickWorld(name) {
  chosen = name;
  if (latest) show(latest);
}

function pickSlot(id) {
  byId("ride").setAttribute("aria-pressed", "false");
  stage?.lookAtSlot(id);
}

function show(state) {
  latest = state;
  panel.showRun(state);
  panel.showTotals(state.totals);
  panel.showAgreement(state.agreement);
  panel.showFunnel(state.funnel);
  const world = state.worlds.find(({ name }) => name === chosen) ?? state.worlds[0];
  if (!world) return;
  panel.showTabs(state.worlds, world.name, pickWorld);
  panel.showSlots(world, pickSlot);
  stage?.show(world);
}

function button(id, action) {
  byId(id).addEventListener("click", action);
}

button("closer", () => stage?.zoom(0.8));
button("farther", () => stage?.zoom(1.25));
button("home", () => {
  byId("ride").setAttribute("aria-pressed", "false");
  stage?.overview();
});
button("ride", ({ currentTarget }) => {
  const on = currentTarget.getAttribute("aria-pressed") !== "true";
  currentTarget.setAttribute("aria-pressed", String(on));
  stage?.ride(on);
});

follow(show, () => {
  if (latest) panel.showBanner("The demo has ended; these are its last figures.", false);
});
