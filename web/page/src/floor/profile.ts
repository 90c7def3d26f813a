import { byId, make } from '../dom.js';
import { colorAt, type Ramp, type Scale } from './ramps.js';

const DAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
const HOURS = 24;

/** The detections per hour of the week: 168 values, from Monday 0:00. */
export type Profile = number[];

const hour = (index: number) => `${DAYS[Math.floor(index / HOURS)]} ${String(index % HOURS).padStart(2, '0')}:00`;

/** A grid of the hours of the week: a row per day, a column per hour. */
export class ProfileGrid {
  private readonly box = byId('profile-grid');

  /** Shows a message in place of the grid. */
  showMessage(text: string): void {
    this.box.replaceChildren(make('p', 'quiet', text));
  }

  /** Shows values in the colors of a scale. `name` names the unit in the label. */
  show(values: Profile, ramp: Ramp, scale: Scale, name: string): void {
    const grid = make('div', 'profile');
    grid.setAttribute('role', 'img');
    const peak = values.reduce((best, value, i) => (Math.abs(value) > Math.abs(values[best]!) ? i : best), 0);
    const text = (value: number) => `${value.toLocaleString('en', { maximumFractionDigits: 1 }).replace('-', '−')} ${name}`;
    grid.setAttribute('aria-label', `Hours of the week. Maximum: ${hour(peak)}, ${text(values[peak]!)}`);
    grid.append(make('span'));
    for (let i = 0; i < HOURS; i++) grid.append(make('span', 'hour', i % 6 ? '' : String(i)));
    values.forEach((value, i) => {
      if (i % HOURS === 0) grid.append(make('span', 'day', DAYS[i / HOURS]!.slice(0, 2)));
      const cell = make('i');
      if (value) {
        const [red, green, blue, alpha] = colorAt(ramp, scale.position(value)).map(Math.round) as [number, number, number, number];
        cell.style.backgroundColor = `rgb(${red} ${green} ${blue} / ${alpha / 255})`;
      }
      cell.title = `${hour(i)}: ${text(value)}`;
      grid.append(cell);
    });
    this.box.replaceChildren(grid);
  }
}
