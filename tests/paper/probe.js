// Runs inside a copy of the page, in a frame of a given width, and tells the parent what a reader would meet.
function channels(colour) {
  const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
  return [r, g, b, a];
}

function over([r, g, b, a], [x, y, z]) {
  return [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a)];
}

function luminance(colour) {
  const [r, g, b] = colour.map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function background(element) {
  if (!element) return [255, 255, 255];
  return over(channels(getComputedStyle(element).backgroundColor), background(element.parentElement));
}

function contrast(element) {
  const below = background(element);
  const [light, dark] = [below, over(channels(getComputedStyle(element).color), below)].map(luminance).sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

function texts() {
  const own = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  return [...document.body.querySelectorAll("*")].filter((one) => own(one) && one.checkVisibility() && !one.closest("svg, script, .hidden"));
}

function name(element) {
  return `${element.tagName.toLowerCase()}: ${element.textContent.trim().slice(0, 40)}`;
}

function findings() {
  document.querySelectorAll("details").forEach((one) => (one.open = true));
  const requests = performance.getEntriesByType("resource").map((one) => one.name).filter((one) => !one.startsWith("data:"));
  return {
    width: document.documentElement.clientWidth,
    content: document.documentElement.scrollWidth,
    requests: requests,
    broken: [...document.images].filter((one) => !one.complete || !one.naturalWidth).map((one) => one.alt),
    silent: [...document.querySelectorAll("img, svg[role=img]")].filter((one) => !(one.alt || one.ariaLabel)).length,
    small: texts().filter((one) => parseFloat(getComputedStyle(one).fontSize) < 12).map(name),
    pale: texts().filter((one) => contrast(one) < 4.5).map((one) => `${name(one)} ${contrast(one).toFixed(2)}`),
  };
}

document.querySelectorAll("img").forEach((one) => (one.loading = "eager"));
addEventListener("load", () => setTimeout(() => parent.postMessage(JSON.stringify(findings()), "*"), 200));
