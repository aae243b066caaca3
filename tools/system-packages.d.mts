/** Names of the group's packages that are not there. */
export function missing(group: 'build' | 'lab' | 'fuzz' | 'e2e'): string[];
/** Installs what is missing where that is possible; null when all is there, else one line that says what is not. */
export function ensure(group: 'build' | 'lab' | 'fuzz' | 'e2e'): string | null;
