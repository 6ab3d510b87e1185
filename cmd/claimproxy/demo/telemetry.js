"use strict";

// Live numbers: server-sent events. A "report" event redraws the charts as well.
const show = (id, text) => { document.getElementById(id).textContent = text; };

function update(event) {
  const numbers = JSON.parse(event.data);
  show("running", numbers.running);
  show("submitted", numbers.submitted);
  show("products", numbers.products);
}

async function redraw() {
  const answer = await fetch(location.href, {headers: {Accept: "text/html"}, redirect: "error"});
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.getElementById("charts").replaceWith(fresh.getElementById("charts"));
}

const events = new EventSource("/events");
events.addEventListener("open", () => show("state", "live, by server-sent events"));
events.addEventListener("error", () => show("state", "the event stream is away"));
events.addEventListener("numbers", update);
events.addEventListener("report", (event) => { update(event); redraw().catch(() => {}); });

// The echo box: a websocket.
const input = document.getElementById("echo-input");
const button = document.getElementById("echo-send");
const log = document.getElementById("echo-log");
const socket = new WebSocket(new URL("/ws", location.href.replace(/^http/, "ws")));

function usable(yes) {
  input.disabled = button.disabled = !yes;
  show("echo-state", yes ? "connected" : "not connected");
}

function send() {
  if (input.value === "") return;
  socket.send(input.value);
  input.value = "";
}

socket.addEventListener("open", () => usable(true));
socket.addEventListener("close", () => usable(false));
socket.addEventListener("message", (event) => {
  const line = document.createElement("li");
  line.textContent = event.data;
  log.prepend(line);
  while (log.children.length > 5) log.lastChild.remove();
});
button.addEventListener("click", send);
input.addEventListener("keydown", (event) => { if (event.key === "Enter") send(); });
