// Versions: pictures as a graph, each below what it was made from; a click chooses one.
export default function ({ data, parentElement, setTriggerValue }) {
  const frame = parentElement.querySelector(".versions");
  const rows = frame.querySelector(".rows");
  const lines = frame.querySelector("svg");
  const buttons = new Map();

  rows.replaceChildren(
    ...data.rows.map((row) => {
      const line = document.createElement("div");
      line.className = "row";
      line.append(...row.map(button));
      return line;
    }),
  );

  function button(node) {
    const made = document.createElement("button");
    const picture = document.createElement("img");
    picture.src = node.src;
    picture.alt = "";
    const words = document.createElement("span");
    words.textContent = `${node.name} · ${node.tool}`;
    made.append(picture, words);
    made.className = node.undone ? "undone" : "";
    made.setAttribute("aria-pressed", node.chosen);
    if (node.undone) made.title = "undone: press Redo to get it back";
    made.onclick = () => setTriggerValue("chosen", node.name);
    buttons.set(node.name, made);
    return made;
  }

  function connect() {
    const origin = frame.getBoundingClientRect();
    const path = (from, to) => {
      const [a, b] = [buttons.get(from), buttons.get(to)].map((one) => one.getBoundingClientRect());
      const x0 = a.left + a.width / 2 - origin.left;
      const x1 = b.left + b.width / 2 - origin.left;
      const [y0, y1] = [a.bottom - origin.top, b.top - origin.top];
      const half = (y0 + y1) / 2;
      return `<path d="M${x0} ${y0}C${x0} ${half} ${x1} ${half} ${x1} ${y1}"/>`;
    };
    lines.innerHTML = data.edges.map(([from, to]) => path(from, to)).join("");
  }

  const watch = new ResizeObserver(connect);
  watch.observe(frame);
  return () => watch.disconnect();
}
