/**
 * What the theory says of two accesses, from the options of their NATs alone: no word of what the engine thinks. RFC 4787's
 * behaviours of a chain compose to the strictest of it.
 */
import type { Behaviour } from './net/bindings.ts';
import type { NatOptions } from './net/nat.ts';

/**
 * - `open`: a path exists that nothing has to be guessed for.
 * - `measured`: the next port can be measured.
 * - `guessed`: ports have to be guessed, and the budgets give the guess a good chance.
 * - `chance`: each attempt has a fair chance, and the budgets give one in the lifetime of a mapping.
 * - `hopeless`: the budgets give no good chance; a direct path is luck.
 * - `blocked`: no UDP passes.
 */
export type Prospect = 'open' | 'measured' | 'guessed' | 'chance' | 'hopeless' | 'blocked';

interface Access {
  mapping: Behaviour;
  filtering: Behaviour;
  /** Of the NAT that makes the mapping hard. */
  ports: 'preserved' | 'sequential' | 'block' | 'random';
  /** What the filter lets in is answered by the mapping that let it in. */
  flows: boolean;
  blocked: boolean;
}

const STRICTNESS: Record<Behaviour, number> = {
  'endpoint-independent': 0,
  'address-dependent': 1,
  'address-and-port-dependent': 2,
};

function strictest(behaviours: readonly Behaviour[]): Behaviour {
  return behaviours.toSorted((a, b) => STRICTNESS[b] - STRICTNESS[a])[0] ?? 'endpoint-independent';
}

/** Netfilter keeps the port for every destination while nobody else has it: one mapping in all but name. */
function mappingOf({ mapping, ports, sharedPorts }: NatOptions): Behaviour {
  return sharedPorts && ports.kind === 'preserved' ? 'endpoint-independent' : mapping;
}

function accessOf(chain: readonly NatOptions[]): Access {
  const mapping = strictest(chain.map(mappingOf));
  const hard = chain.filter((nat) => mappingOf(nat) === mapping);
  // The outermost hard one decides what the peer sees.
  const kind = hard.at(-1)?.ports.kind ?? 'preserved';
  return {
    mapping,
    filtering: strictest(chain.map(({ filtering }) => filtering)),
    ports: kind,
    flows: hard.every(({ flows }) => flows === true),
    blocked: chain.some(({ udpBlocked }) => udpBlocked === true),
  };
}

const isHard = ({ mapping }: Access) => mapping !== 'endpoint-independent';

export function prospect(a: readonly NatOptions[], b: readonly NatOptions[]): Prospect {
  const [one, other] = [accessOf(a), accessOf(b)];
  if (one.blocked || other.blocked) return 'blocked';
  if (!isHard(one) && !isHard(other)) return 'open';
  if (isHard(one) && isHard(other)) return twoHard(one, other);
  const [hard, easy] = isHard(one) ? [one, other] : [other, one];
  // The easy side's port is known and any port of the hard side's address may come in.
  if (easy.filtering !== 'address-and-port-dependent') return 'open';
  return isPredictable(hard) ? 'measured' : 'guessed';
}

/**
 * Ports that are kept or counted on both sides can be known. Where one side's are, the other's block meets them with b / N
 * (`ambush`). Every other guess costs a mapping on both sides.
 */
function twoHard(a: Access, b: Access): Prospect {
  const answering = [a, b].filter(({ flows }) => flows).map(({ filtering }) => filtering);
  // It lets anybody in at the address that a server saw.
  if (answering.includes('endpoint-independent')) return 'open';
  if (answering.includes('address-dependent')) return 'guessed';
  if (isPredictable(a) && isPredictable(b)) return 'measured';
  const drawing = [a, b].filter((access) => !isPredictable(access));
  return drawing.length === 1 && drawing[0]?.ports === 'block' ? 'chance' : 'hopeless';
}

const isPredictable = ({ ports }: Access) => ports === 'sequential' || ports === 'preserved';
