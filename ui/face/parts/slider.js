// Slider: two pictures one over the other; a range, which keys move too, says how much of each.
export default function ({ data, parentElement }) {
  const [before, after] = parentElement.querySelectorAll("img");
  const range = parentElement.querySelector("input");
  const frame = parentElement.querySelector(".pair");
  before.src = data.before.src;
  before.alt = data.before.alt;
  after.src = data.after.src;
  after.alt = data.after.alt;
  range.setAttribute("aria-label", data.label);
  range.oninput = () => frame.style.setProperty("--shown", `${range.value}%`);
  frame.onpointerdown = frame.onpointermove = (event) => {
    if (!event.buttons) return;
    const box = frame.getBoundingClientRect();
    range.value = ((event.clientX - box.left) / box.width) * 100;
    range.oninput();
  };
}
