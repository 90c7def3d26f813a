import css from './mask.css?inline';
import { urlOf, type Model } from './model';

/** A picture that shows the bytes of a trait. */
function picture(model: Model, name: string, className: string): { element: HTMLImageElement; show: () => void } {
  const element = document.createElement('img');
  element.className = className;
  element.alt = '';
  element.draggable = false;
  const show = () => {
    const bytes = model.get<DataView | null>(name);
    element.hidden = !bytes?.byteLength;
    if (!bytes?.byteLength) return;
    if (element.src) URL.revokeObjectURL(element.src);
    element.src = urlOf(bytes);
  };
  show();
  return { element, show };
}

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const style = document.createElement('style');
  style.textContent = css;
  const frame = document.createElement('div');
  frame.className = 'kiln-mask';
  const stage = document.createElement('div');
  stage.className = 'kiln-stage';
  const background = picture(model, 'background', 'kiln-background');
  const heat = picture(model, 'heat', 'kiln-heat');
  const legend = picture(model, 'legend', 'kiln-mask-legend');
  legend.element.onload = () => (legend.element.style.width = `${legend.element.naturalWidth / 2}px`);
  stage.append(background.element, heat.element);

  const controls = document.createElement('div');
  controls.className = 'kiln-controls';
  const label = document.createElement('label');
  const slider = document.createElement('input');
  Object.assign(slider, { type: 'range', min: '0', max: '100', step: '1' });
  label.append('Opacity ', slider);
  const value = document.createElement('output');
  controls.append(legend.element, label, value);
  frame.append(stage, controls);
  el.append(style, frame);

  const fade = () => {
    const opacity = model.get<number>('opacity');
    slider.value = String(opacity);
    heat.element.style.opacity = String(opacity / 100);
  };
  const size = () => {
    const [width, height] = model.get<[number, number]>('size');
    stage.style.width = width ? `${width}px` : '';
    stage.style.aspectRatio = width && height ? `${width} / ${height}` : '';
  };
  const write = () => (value.textContent = model.get<string>('clicked'));
  slider.oninput = () => {
    model.set('opacity', Number(slider.value));
    model.save_changes();
    fade();
  };
  stage.onclick = (event) => {
    const box = stage.getBoundingClientRect();
    // The position as shares of the width and the height.
    model.send({ kind: 'click', x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height });
  };
  fade();
  size();
  write();
  const changes: [string, () => void][] = [
    ['change:background', background.show],
    ['change:heat', heat.show],
    ['change:legend', legend.show],
    ['change:opacity', fade],
    ['change:size', size],
    ['change:clicked', write],
  ];
  changes.forEach(([event, callback]) => model.on(event, callback));
  return () => changes.forEach(([event, callback]) => model.off(event, callback));
}

export default { render };
