import { memo, type ReactNode } from 'react';
import { SAMPLES_KEPT } from '../store/samples.ts';

const WIDTH = 96;
const HEIGHT = 24;
/** Steps of the scale in ms: figures that vary a little do not rescale the line. */
const SCALES = [20, 50, 100, 200, 500, 1_000, 2_000, 5_000] as const;

interface SparklineProps {
  rtts: readonly (number | null)[];
  label: string;
  className?: string;
}

/** The ping of the last minute; a gap where there was no path. */
export const Sparkline = memo(function Sparkline({ rtts, label, className = '' }: SparklineProps): ReactNode {
  return (
    <svg
      role="img"
      aria-label={label}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      className={`h-6 w-24 shrink-0 ${className}`}
    >
      <path
        d={`M0 ${HEIGHT - 0.5}H${WIDTH}`}
        className="stroke-line"
        strokeWidth="1"
        vectorEffect="non-scaling-stroke"
      />
      <path
        d={sparkPath(rtts)}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        strokeLinejoin="round"
        strokeLinecap="round"
        vectorEffect="non-scaling-stroke"
      />
    </svg>
  );
});

/** SVG path with the newest sample at the right edge. */
export function sparkPath(rtts: readonly (number | null)[]): string {
  const highest = Math.max(1, ...rtts.map((rtt) => rtt ?? 0));
  const scale = SCALES.find((step) => step >= highest) ?? highest;
  const step = WIDTH / (SAMPLES_KEPT - 1);
  let pen = 'M';
  let path = '';
  rtts.forEach((rtt, at) => {
    if (rtt === null) {
      pen = 'M';
      return;
    }
    const x = WIDTH - (rtts.length - 1 - at) * step;
    const y = HEIGHT - 2 - (rtt / scale) * (HEIGHT - 4);
    path += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = 'L';
  });
  return path;
}
