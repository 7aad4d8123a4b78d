// The demo's state as it comes: server-sent events, or polling where they fail.

const POLL_MS = 1000;

/** Calls `onState(state)` for each state and `onLost()` when the demo no longer answers. */
export function follow(onState, onLost) {
  if (typeof EventSource === "undefined") return poll(onState, onLost);
  const source = new EventSource("events");
  source.onmessage = (event) => onState(JSON.parse(event.data));
  source.onerror = () => {
    source.close();
    poll(onState, onLost);
  };
}

async function poll(onState, onLost) {
  try {
    const answer = await fetch("state", { cache: "no-store" });
    if (!answer.ok) throw new Error(`state answered ${answer.status}`);
    onState(await answer.json());
  } catch {
    onLost();
  }
  setTimeout(poll, POLL_MS, onState, onLost);
}
