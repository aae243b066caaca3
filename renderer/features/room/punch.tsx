import type { ReactNode } from 'react';
import type { PeerSnapshot } from '../../../protocol/app.ts';
import type { AttemptStrategy } from '../../../protocol/punch.ts';
import { type Text, useText } from '../../i18n/text.tsx';
import { useApp, useFace } from '../../store/hooks.ts';
import { type StrictSide, strictSide } from '../../store/member.ts';
import { isolated } from '../../store/plain.ts';
import type { OddsPoint } from '../../store/samples.ts';
import { PortPicture } from '../../ui/port-picture.tsx';

type Punch = NonNullable<PeerSnapshot['punch']>;

interface PunchProps {
  peer: PeerSnapshot;
  punch: Punch;
}

const HARD: Record<AttemptStrategy, true> = {
  birthday: true,
  bracket: true,
  crossing: true,
  ambush: true,
  'long-shot': true,
};
const PHASES = { proposed: true, waiting: true, probing: true, nominating: true, closing: true } as const;

/**
 * The strategy in words, by whose NAT is the strict one. One of a later engine has general words, and so has a try against
 * what is known of both NATs.
 */
function strategyText(t: Text, strategy: string, strict: StrictSide | null): string {
  if (strategy === 'simultaneous-open') return t('punch.simultaneous-open');
  if (strict === null || !Object.hasOwn(HARD, strategy)) return t('punch.other');
  return t(`punch.${strict === 'theirs' ? 'theirs' : 'yours'}.${strategy as AttemptStrategy}`);
}

/** How a path was found, for the timeline. */
export function punchedText(t: Text, strategy: string): string {
  return Object.hasOwn(HARD, strategy) ? t(`punch.found.${strategy as AttemptStrategy}`) : t('punch.found.other');
}

function phaseText(t: Text, phase: string): string {
  return t(`punch.phase.${Object.hasOwn(PHASES, phase) ? (phase as keyof typeof PHASES) : 'other'}`);
}

/** In the row: what is tried, how far it is, and the odds. */
export function PunchLine({ peer, punch, strict }: PunchProps & { strict: StrictSide | null }): ReactNode {
  const t = useText();
  return (
    <div className="px-3 pb-3 sm:ps-16 sm:pe-4">
      <p className="text-[13px]">{strategyText(t, punch.strategy, strict)}</p>
      <div className="mt-1.5 flex flex-wrap items-center gap-x-3 gap-y-1 text-[13px] text-soft">
        <Progress punch={punch} label={t('punch.progress', { nick: isolated(peer.nick) })} />
        <span>{triesText(t, punch)}</span>
        <span className="font-semibold text-relayed">{standingText(t, punch)}</span>
      </div>
    </div>
  );
}

/** While it probes its chance, if there is one to tell, else what it does. */
function standingText(t: Text, { phase, odds }: Punch): string {
  if (phase !== 'probing') return phaseText(t, phase);
  return odds === null ? '' : t('punch.chance', { odds: uncertain(odds) });
}

/** What may still fail is never said to be certain. */
const uncertain = (odds: number): number => Math.min(odds, 0.99);

const triesText = (t: Text, punch: Punch): string => t('punch.tries', { sent: punch.probesSent, max: punch.probesMax });

function Progress({ punch, label }: { punch: Punch; label: string }): ReactNode {
  const share = punch.probesMax > 0 ? Math.min(1, punch.probesSent / punch.probesMax) : 0;
  return (
    <span
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={punch.probesMax}
      aria-valuenow={Math.min(punch.probesSent, punch.probesMax)}
      className="block h-1.5 min-w-24 flex-1 overflow-hidden rounded-full bg-sunken sm:max-w-60"
    >
      <svg aria-hidden viewBox="0 0 100 1" preserveAspectRatio="none" className="block h-full w-full">
        <rect width={share * 100} height="1" className="fill-relayed" />
      </svg>
    </span>
  );
}

/** In the details: the odds drawn live, and where the ports fall. */
export function PunchView({ peer, punch }: PunchProps): ReactNode {
  const t = useText();
  const points = useFace(({ samples }) => samples.get(peer.publicKey)?.odds ?? NO_POINTS);
  return (
    <section aria-label={t('punch.title')} className="rounded-xl border border-line bg-surface p-3.5">
      <div className="flex flex-wrap items-baseline justify-between gap-x-4">
        <h3 className="font-semibold">{t('punch.title')}</h3>
        <p className="text-[13px] text-relayed">{phaseText(t, punch.phase)}</p>
      </div>
      <div className="mt-2 grid gap-x-8 gap-y-3 md:grid-cols-2">
        <div>
          <Odds punch={punch} points={points} />
          {punch.mappings > 0 && (
            <p className="mt-1 text-[13px] text-soft">{t('punch.mappings', { count: punch.mappings })}</p>
          )}
        </div>
        <GuessedPorts peer={peer} />
      </div>
    </section>
  );
}

function Odds({ punch, points }: { punch: Punch; points: readonly OddsPoint[] }): ReactNode {
  const t = useText();
  const { odds, phase, strategy } = punch;
  if (odds === null) return phase !== 'waiting' && <p className="text-[13px]">{t('punch.noOdds')}</p>;
  // Its chance grows with the mappings that wait, not with the tries.
  if (strategy === 'ambush') return <p className="text-[13px]">{t('punch.doors', { odds: uncertain(odds) })}</p>;
  return <OddsCurve points={points} punch={punch} odds={odds} />;
}

/** Where the ports fall that somebody has to guess: those of the strict side. */
function GuessedPorts({ peer }: { peer: PeerSnapshot }): ReactNode {
  const t = useText();
  const own = useApp(({ snapshot }) => snapshot.self?.nat ?? null);
  const strict = strictSide(own, peer.nat);
  const shown = [
    strict !== 'theirs' && own !== null && { title: t('punch.yourPorts'), ports: own.ports },
    strict !== 'yours' && peer.nat !== null && { title: t('punch.theirPorts'), ports: peer.nat.ports },
  ];
  if (strict === null) return null;
  return (
    <div className="flex flex-col gap-3">
      {shown.map(
        (each) =>
          each !== false && (
            <div key={each.title}>
              <p className="mb-1 text-[13px] font-semibold">{each.title}</p>
              <PortPicture ports={each.ports} />
            </div>
          ),
      )}
    </div>
  );
}

const NO_POINTS: readonly OddsPoint[] = [];
const WIDTH = 320;
const HEIGHT = 110;
const MARGIN = { left: 42, right: 10, top: 8, bottom: 20 };

/** Chance (0 to 1) over probes: what was so far as a line, what is to come at this rate as dashes. */
function OddsCurve({ points, punch, odds }: { points: readonly OddsPoint[]; punch: Punch; odds: number }): ReactNode {
  const t = useText();
  const most = Math.max(1, punch.probesMax, punch.probesSent);
  const x = (probes: number) => MARGIN.left + (probes / most) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (chance: number) => MARGIN.top + (1 - chance) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const here = { probes: punch.probesSent, odds };
  const line = [...points.filter(({ probes }) => probes < here.probes), here];
  const power = POWERS[punch.strategy];
  const forecast = power === undefined ? null : forecastOf(here, power);
  const end = Math.max(odds, forecast?.(most) ?? 0);
  return (
    <svg
      role="img"
      aria-label={t('punch.curve', { odds: uncertain(odds), sent: punch.probesSent, end: uncertain(end), max: most })}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      className="w-full max-w-md"
    >
      {[0, 0.5, 1].map((chance) => (
        <g key={chance}>
          <path d={`M${MARGIN.left} ${y(chance)}H${WIDTH - MARGIN.right}`} className="stroke-line" />
          <text x={MARGIN.left - 6} y={y(chance) + 3} textAnchor="end" className="fill-soft text-[12px]">
            {`${chance * 100}%`}
          </text>
        </g>
      ))}
      {forecast !== null && (
        <>
          <path
            d={polyline(forecastPoints(forecast, most), x, y)}
            fill="none"
            strokeDasharray="3 4"
            className="stroke-line-strong"
          />
          <text
            x={WIDTH - MARGIN.right}
            y={y(end) + (end > 0.5 ? 16 : -6)}
            textAnchor="end"
            className="fill-soft text-[12px]"
          >
            {t('punch.inTheEnd', { odds: uncertain(end) })}
          </text>
        </>
      )}
      <path d={polyline(line, x, y)} fill="none" strokeWidth="2" strokeLinejoin="round" className="stroke-relayed" />
      <circle cx={x(here.probes)} cy={y(here.odds)} r="4" className="settle fill-relayed" />
      <text x={MARGIN.left} y={HEIGHT - 5} textAnchor="middle" className="fill-soft text-[12px]">
        0
      </text>
      <text x={WIDTH - MARGIN.right} y={HEIGHT - 5} textAnchor="end" className="fill-soft text-[12px]">
        {t('punch.curveTries', { max: most })}
      </text>
    </svg>
  );
}

/** How the odds of a strategy grow with its tries; where both sides' tries count, with the square. Of a later one nobody knows. */
const POWERS: Readonly<Record<string, 1 | 2>> = { birthday: 1, 'long-shot': 2 };

type Scale = (value: number) => number;

function polyline(points: readonly OddsPoint[], x: Scale, y: Scale): string {
  return points
    .map(({ probes, odds }, at) => `${at === 0 ? 'M' : 'L'}${x(probes).toFixed(1)} ${y(odds).toFixed(1)}`)
    .join('');
}

/**
 * Chance by tries. Each misses with the same chance, so the odds go as 1 - exp(-k n^power). k is such that the present odds
 * come out; null while they tell nothing.
 */
function forecastOf(here: OddsPoint, power: 1 | 2): ((probes: number) => number) | null {
  if (here.probes === 0 || here.odds <= 0 || here.odds >= 1) return null;
  const rate = -Math.log(1 - here.odds) / here.probes ** power;
  return (probes) => 1 - Math.exp(-rate * probes ** power);
}

function forecastPoints(forecast: (probes: number) => number, most: number): OddsPoint[] {
  return Array.from({ length: 41 }, (_, at) => (at / 40) * most).map((probes) => ({ probes, odds: forecast(probes) }));
}
