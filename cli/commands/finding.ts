/** What a check of `warren doctor` found. */
export interface Finding {
  check: string;
  /** `note`: nothing is wrong, but worth knowing. */
  result: 'ok' | 'note' | 'bad';
  detail: string;
}
