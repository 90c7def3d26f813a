/** How the panel is arranged: a card next to the map, a sheet at the bottom of a phone, or a card that a low screen folds. */
export type Arrangement = 'wide' | 'sheet' | 'side';

/** As in sheet.css. */
const COMPACT = matchMedia('(max-width: 699px), (max-height: 479px)');
const SIDE = matchMedia('(min-width: 480px) and (max-height: 479px)');

export const arrangement = (): Arrangement => (SIDE.matches ? 'side' : COMPACT.matches ? 'sheet' : 'wide');

/** Whether the screen is that of a phone, upright or not. */
export const isCompact = (): boolean => COMPACT.matches;

/** Calls `then` when the arrangement changes, such as by a turn of the phone. */
export function onArrangement(then: () => void): void {
  for (const query of [COMPACT, SIDE]) query.addEventListener('change', then);
}
