/** Arithmetic of port counters, which wrap within the ports that NATs give. */
import { FULL_RANGE } from '../nat/ports.ts';

const PORTS = FULL_RANGE.high - FULL_RANGE.low + 1;

/** The port that a counter shows `count` mappings after `port`. */
export function after(port: number, step: number, count: number): number {
  const offset = port - FULL_RANGE.low + step * count;
  return FULL_RANGE.low + (((offset % PORTS) + PORTS) % PORTS);
}

/** Ports that a counter gave between two mappings, both excluded, in order; at most `limit`, the first ones. */
export function between(first: number, last: number, step: number, limit: number): number[] {
  const ports: number[] = [];
  for (let count = 1; count <= limit; count++) {
    const port = after(first, step, count);
    if (port === last || passed(port, last, step)) break;
    ports.push(port);
  }
  return ports;
}

/** Whether `port` lies beyond `last` in the direction of `step`, by less than half the ports. */
function passed(port: number, last: number, step: number): boolean {
  const ahead = ((((port - last) * Math.sign(step)) % PORTS) + PORTS) % PORTS;
  return ahead > 0 && ahead < PORTS / 2;
}

/** Mappings after `port` at which a counter shows `target`; zero or less where it was there, or is past it. */
export function countTo(port: number, target: number, step: number): number {
  const ahead = ((((target - port) * Math.sign(step)) % PORTS) + PORTS) % PORTS;
  return Math.ceil((ahead > PORTS / 2 ? ahead - PORTS : ahead) / Math.abs(step));
}
