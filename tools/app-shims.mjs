/**
 * Put in front of the app's bundle: what the engine uses and the Electron of the tests (Node 18) has not. Electron 45 has it all.
 */
import { webcrypto } from 'node:crypto';

function lacking(name, value) {
  if (!(name in Array.prototype)) {
    // oxlint-disable-next-line no-extend-native -- it is the standard's own method
    Object.defineProperty(Array.prototype, name, { value, writable: true, configurable: true });
  }
}
lacking('toSorted', function toSorted(compare) {
  return [...this].sort(compare);
});
lacking('toReversed', function toReversed() {
  // oxlint-disable-next-line unicorn/no-array-reverse -- this is what it is made of
  return [...this].reverse();
});
URL.canParse ??= (url, base) => {
  try {
    return Boolean(new URL(url, base));
  } catch {
    return false;
  }
};
globalThis.crypto ??= webcrypto;
