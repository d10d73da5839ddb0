// Canvas: a picture on which a person clicks, drags a box or paints; by mouse, finger or keys.
// Places are pixels of the picture. Every finished mark is sent once, as {n, kind, places}.
const INK = "#ff2d78";

export default function ({ data, parentElement, setTriggerValue }) {
  const canvas = parentElement.querySelector("canvas");
  const live = parentElement.querySelector("[role=status]");
  const pen = canvas.getContext("2d");
  const picture = new Image();
  let path = [];
  let cursor = canvas.cursor ?? [data.width / 2, data.height / 2];
  let corner = null; // of a box that is begun by keys

  canvas.setAttribute("aria-label", data.label);
  const scale = () => canvas.width / data.width;

  function draw() {
    canvas.width = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
    canvas.height = Math.round((canvas.width * data.height) / data.width);
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    pen.setTransform(scale(), 0, 0, scale(), 0, 0);
    pen.strokeStyle = pen.fillStyle = INK;
    pen.lineCap = pen.lineJoin = "round";
    for (const [x, y, on] of data.points) dot(x, y, on ? INK : "#111");
    if (path.length && data.mode === "brush") trace(path);
    if (path.length && data.mode === "box") outline(path[0], path.at(-1));
    if (document.activeElement === canvas || canvas.matches(":focus-visible")) cross();
    pen.resetTransform();
  }

  function dot(x, y, ink) {
    pen.beginPath();
    pen.arc(x, y, 5 / scale() * devicePixelRatio, 0, 7);
    pen.fillStyle = ink;
    pen.fill();
    pen.lineWidth = 2 / scale() * devicePixelRatio;
    pen.strokeStyle = "#fff";
    pen.stroke();
    pen.strokeStyle = INK;
  }

  function trace(places) {
    pen.globalAlpha = 0.5;
    pen.lineWidth = data.brush;
    pen.beginPath();
    pen.moveTo(...places[0]);
    for (const place of places) pen.lineTo(...place);
    pen.stroke();
    pen.globalAlpha = 1;
  }

  function outline([x0, y0], [x1, y1]) {
    pen.lineWidth = 2 / scale() * devicePixelRatio;
    pen.strokeRect(x0, y0, x1 - x0, y1 - y0);
  }

  function cross() {
    const arm = 8 / scale() * devicePixelRatio;
    pen.lineWidth = 1.5 / scale() * devicePixelRatio;
    pen.beginPath();
    pen.moveTo(cursor[0] - arm, cursor[1]);
    pen.lineTo(cursor[0] + arm, cursor[1]);
    pen.moveTo(cursor[0], cursor[1] - arm);
    pen.lineTo(cursor[0], cursor[1] + arm);
    pen.stroke();
    if (corner) outline(corner, cursor);
  }

  function at(event) {
    const frame = canvas.getBoundingClientRect();
    const inside = (value, most) => Math.min(Math.max(value, 0), most - 0.01);
    return [
      inside(((event.clientX - frame.left) * data.width) / frame.width, data.width),
      inside(((event.clientY - frame.top) * data.height) / frame.height, data.height),
    ];
  }

  function send(places, off) {
    canvas.sent = (canvas.sent ?? 0) + 1;
    const rounded = places.map((place) => place.map((value) => Math.round(value * 10) / 10));
    live.textContent = "marked";
    setTriggerValue("mark", { n: canvas.sent, kind: data.mode, off, places: rounded });
  }

  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    path = [at(event)];
    draw();
  };
  canvas.onpointermove = (event) => {
    if (!path.length) return;
    path.push(at(event));
    draw();
  };
  canvas.onpointerup = (event) => {
    if (!path.length) return;
    const places = data.mode === "brush" ? path : [path[0], at(event)];
    cursor = canvas.cursor = at(event);
    path = [];
    send(data.mode === "click" ? [places[1]] : places, event.shiftKey);
  };
  canvas.onpointercancel = () => {
    path = [];
    draw();
  };

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.onkeydown = (event) => {
    const step = Math.max(1, data.width / (event.shiftKey ? 128 : 24));
    if (event.key in ARROWS) {
      const [x, y] = ARROWS[event.key];
      cursor = canvas.cursor = [
        Math.min(Math.max(cursor[0] + x * step, 0), data.width - 1),
        Math.min(Math.max(cursor[1] + y * step, 0), data.height - 1),
      ];
    } else if (event.key === "Enter") {
      if (data.mode === "box" && !corner) corner = cursor;
      else {
        send(corner ? [corner, cursor] : [cursor], event.shiftKey);
        corner = null;
      }
    } else if (event.key === "Escape") corner = null;
    else return;
    event.preventDefault();
    draw();
  };
  canvas.onfocus = canvas.onblur = () => draw();

  picture.onload = draw;
  picture.src = data.src;
  const watch = new ResizeObserver(draw);
  watch.observe(canvas);
  return () => watch.disconnect();
}
