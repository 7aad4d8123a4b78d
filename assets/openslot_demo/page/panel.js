// The figures beside the worlds: text only, no three.js.

/** The protocol's words for why a view did not count, where plain words say it better. */
const PLAIN_WORDS = {
  viewport: "off screen",
  clipped: "partly off screen",
  back_facing: "seen from behind",
  obstructed: "something in front",
  too_oblique: "too oblique",
  too_small: "too small on screen",
  too_short: "not long enough",
  no_window_focus: "window without focus",
  idle: "viewer was away",
  unmeasurable: "could not be measured",
};
const whole = new Intl.NumberFormat("en");
const SPOKEN_EVERY_MS = 10000;
const byId = (id) => document.getElementById(id);
let spokenAt = 0;

export function money(micros, currency) {
  const digits = Math.abs(micros) < 100e6 ? 4 : 2;
  const format = new Intl.NumberFormat("en", { style: "currency", currency: currency || "USD", minimumFractionDigits: 2, maximumFractionDigits: digits });
  return format.format((micros || 0) / 1e6);
}

export function exposure(ms) {
  return ms ? `${(ms / 1000).toFixed(1)} s` : "–";
}

/** Writes a text only where it changed, so that a screen reader and the layout are left in peace. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function showRun(state) {
  write(byId("phase"), state.phase || "");
  byId("progress").value = state.seconds ? Math.min(1, state.elapsed_s / state.seconds) : 0;
  write(byId("elapsed"), `${Math.floor(state.elapsed_s || 0)} s of ${Math.round(state.seconds || 0)} s`);
  const up = state.server !== "down";
  byId("server").dataset.up = String(up);
  write(byId("server").lastElementChild, up ? "server up" : "server away");
  const warning = up ? "" : "Server away: events are kept in the spools and will be counted once it is back.";
  showBanner([warning, state.message].filter(Boolean).join(" "), !up);
}

export function showBanner(text, urgent) {
  const banner = byId("banner");
  banner.hidden = !text;
  banner.classList.toggle("calm", !urgent);
  write(banner, text);
}

export function showTotals({ viewable = 0, rendered = 0, ...others }) {
  const totals = { viewable, rendered, ...others };
  for (const cell of byId("totals").querySelectorAll("dd")) {
    const key = cell.dataset.total;
    write(cell, key === "spend" ? money(totals.spend_micros, totals.currency) : whole.format(totals[key] ?? 0));
  }
  if (Date.now() - spokenAt < SPOKEN_EVERY_MS) return;
  spokenAt = Date.now();
  write(byId("said"), `${whole.format(viewable)} viewable of ${whole.format(rendered)} rendered; spend ${money(totals.spend_micros, totals.currency)}.`);
}

export function showAgreement({ sdk_viewable, ledger_viewable, agree }) {
  const box = byId("agreement");
  const onTheWay = sdk_viewable - ledger_viewable;
  const [state, verdict, sign] = agree
    ? ["agreed", "SDK count = ledger count", "="]
    : onTheWay > 0
      ? ["under-way", `${whole.format(onTheWay)} on their way to the ledger`, "→"]
      : ["apart", "SDK count ≠ ledger count", "≠"];
  box.dataset.state = state;
  write(box.querySelector(".verdict"), verdict);
  write(box.querySelector("[data-of=sdk]"), whole.format(sdk_viewable));
  write(box.querySelector("[data-of=ledger]"), whole.format(ledger_viewable));
  write(box.querySelector("[data-of=sign]"), sign);
}

export function showFunnel(funnel) {
  const rows = Object.entries(funnel).sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  const most = Math.max(1, ...rows.map(([, count]) => count));
  const list = byId("funnel");
  while (list.children.length > rows.length) list.lastChild.remove();
  rows.forEach(([reason, count], at) => {
    const item = list.children[at] ?? list.appendChild(funnelRow());
    const [label, figure, bar] = item.children;
    const words = PLAIN_WORDS[reason] ?? reason.replaceAll("_", " ");
    item.title = reason;
    write(label, words);
    write(figure, whole.format(count));
    bar.max = most;
    bar.value = count;
    bar.setAttribute("aria-label", words);
  });
}

function funnelRow() {
  const item = document.createElement("li");
  item.append(document.createElement("span"), document.createElement("b"), document.createElement("meter"));
  return item;
}

/** Shows one world's slots; `onPick(slot id)` is called when a slot's name is pressed. */
export function showSlots(world, onPick) {
  write(byId("caption"), `Slots of ${world.title}`);
  const body = byId("slots");
  while (body.children.length > world.slots.length) body.lastChild.remove();
  world.slots.forEach((slot, at) => {
    const row = body.children[at] ?? body.appendChild(slotRow(onPick));
    fillRow(row, slot);
  });
}

function slotRow(onPick) {
  const row = document.createElement("tr");
  const head = row.appendChild(document.createElement("th"));
  head.scope = "row";
  const button = head.appendChild(document.createElement("button"));
  button.type = "button";
  button.className = "state";
  button.append(document.createElement("span"), document.createElement("small"));
  button.addEventListener("click", () => onPick(row.dataset.slot));
  for (let cell = 0; cell < 8; cell += 1) row.appendChild(document.createElement("td"));
  return row;
}

function fillRow(row, slot) {
  const counted = row.dataset.slot === slot.id && Number(row.dataset.viewable) < slot.viewable;
  row.dataset.slot = slot.id;
  row.dataset.viewable = slot.viewable;
  const button = row.querySelector("button");
  button.dataset.state = slot.state;
  button.title = `${slot.state}: show this slot`;
  write(button.firstChild, slot.name || slot.id);
  write(button.lastChild, slot.size.map((side) => side.toFixed(1)).join(" × ") + " m");
  const creative = slot.creative ? [slot.advertiser, named(slot.creative)].filter(Boolean).join(" · ") : "–";
  const figures = [slot.requests, slot.filled, slot.rendered, slot.viewable].map((n) => whole.format(n ?? 0));
  const texts = [creative, ...figures, exposure(slot.mean_exposure_ms), money(slot.spend_micros, slot.currency), whole.format(slot.seen_now ?? 0)];
  texts.forEach((text, at) => write(row.children[at + 1], text));
  if (counted) restart(row, "flash");
}

/** Returns a creative's title, or the beginning of its sha-256. */
function named(creative) {
  return /^[0-9a-f]{64}$/.test(creative) ? creative.slice(0, 8) : creative;
}

function restart(element, name) {
  element.classList.remove(name);
  void element.offsetWidth;
  element.classList.add(name);
}

/** Shows the worlds as tabs; arrow keys move between them. */
export function showTabs(worlds, current, onPick) {
  const tabs = byId("tabs");
  if (tabs.children.length !== worlds.length) tabs.replaceChildren(...worlds.map((world) => tab(world, onPick)));
  worlds.forEach((world, at) => {
    const button = tabs.children[at];
    const chosen = world.name === current;
    button.setAttribute("aria-selected", String(chosen));
    button.tabIndex = chosen ? 0 : -1;
  });
}

function tab(world, onPick) {
  const button = document.createElement("button");
  button.type = "button";
  button.role = "tab";
  button.setAttribute("aria-controls", "stage");
  button.textContent = world.title;
  button.addEventListener("click", () => onPick(world.name));
  button.addEventListener("keydown", (event) => {
    const step = { ArrowRight: "nextElementSibling", ArrowLeft: "previousElementSibling" }[event.key];
    const next = step && button[step];
    if (!next) return;
    next.focus();
    next.click();
  });
  return button;
}
