import type { ReactNode } from 'react';
import type { NatReport } from '../../protocol/nat.ts';
import { type Text, useText } from '../i18n/text.tsx';

type Ports = NatReport['ports'];

const WIDTH = 400;
const HEIGHT = 26;
const ALL = 65_536;

/** How a NAT draws external ports, in words. */
export function portsText(t: Text, { kind, step, low, high }: Ports): string {
  if (kind === 'sequential') {
    return step == null ? t('network.port.sequentialUnknown') : t('network.port.sequential', { step });
  }
  if (kind === 'block') {
    return low == null || high == null ? t('network.port.blockUnknown') : t('network.port.block', { low, high });
  }
  return t(`network.port.${kind}`);
}

/** The range of all ports, and the part of it that this NAT uses. */
export function PortPicture({ ports }: { ports: Ports }): ReactNode {
  const t = useText();
  // Nothing is drawn from anywhere: an empty picture would tell less than the words.
  if (ports.kind === 'unknown' || ports.kind === 'preserved') return <p>{portsText(t, ports)}</p>;
  return (
    <figure>
      <svg
        role="img"
        aria-label={`${t('network.portsPicture')}: ${portsText(t, ports)}`}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        className="block h-6.5 w-full rounded-md bg-sunken"
      >
        <Used ports={ports} />
      </svg>
      <figcaption className="mt-1 flex justify-between gap-3 text-[12px] text-soft">
        <span aria-hidden>0</span>
        <span className="text-text">{portsText(t, ports)}</span>
        <span aria-hidden>65535</span>
      </figcaption>
    </figure>
  );
}

/** Narrower than this a range could not be seen, in units of the picture. */
const NARROWEST = 5;
const MARKS = 64;

function Used({ ports: { kind, low, high, ranges } }: { ports: Ports }): ReactNode {
  if (kind === 'block' && ranges !== undefined && ranges.length > 0) return <Ranges ranges={ranges} />;
  const from = ((low ?? 1_024) / ALL) * WIDTH;
  const width = Math.max(NARROWEST, (((high ?? ALL - 1) - (low ?? 1_024)) / ALL) * WIDTH);
  if (kind === 'block') return <rect x={from} width={width} height={HEIGHT} className="fill-relayed" />;
  if (kind === 'sequential') {
    const wide = Math.max(width, 40);
    return (
      <path d={stairs(Math.min(from, WIDTH - wide), wide)} fill="none" strokeWidth="2" className="stroke-relayed" />
    );
  }
  return <path d={scatter(from, width)} strokeWidth="3" strokeLinecap="round" className="stroke-relayed" />;
}

/** What the measured ports leave possible: the likelier, the stronger. */
function Ranges({ ranges }: { ranges: NonNullable<Ports['ranges']> }): ReactNode {
  return ranges.map(({ low, high, weight }) => (
    <rect
      key={low}
      x={(low / ALL) * WIDTH}
      width={Math.max(NARROWEST, ((high - low) / ALL) * WIDTH)}
      height={HEIGHT}
      opacity={0.25 + 0.75 * weight}
      className="fill-relayed"
    />
  ));
}

/** Counting up, drawn as steps. */
function stairs(from: number, width: number): string {
  const steps = 6;
  const parts = Array.from(
    { length: steps },
    (_, at) => `h${width / steps}${at < steps - 1 ? `v${-(HEIGHT - 6) / (steps - 1)}` : ''}`,
  );
  return `M${from} ${HEIGHT - 3}${parts.join('')}`;
}

/** Marks that look drawn by lot, the same each time. */
function scatter(from: number, width: number): string {
  let lot = 7;
  const drawn = () => {
    // A small linear congruential generator (Park and Miller's).
    lot = (lot * 48_271) % 2_147_483_647;
    return lot / 2_147_483_647;
  };
  return Array.from({ length: MARKS }, () => {
    const x = from + 3 + drawn() * (width - 6);
    const y = 4 + drawn() * (HEIGHT - 8);
    return `M${x.toFixed(1)} ${y.toFixed(1)}h0.01`;
  }).join('');
}
