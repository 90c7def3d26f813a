/** What draws the data of a layer on a map. */
export interface View {
  /** Removes it from the map. */
  remove(): void;
  /** Called after an option has changed, with the name of the option. */
  changed(option: string): void;
}

/** The options that a view draws with. Null: the default. */
export interface ViewOptions {
  radius: number | null;
  dissipating: boolean;
  gradient: readonly string[] | null;
  maxIntensity: number | null;
  opacity: number;
}
