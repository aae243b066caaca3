import { type ReactNode, useId } from 'react';

interface SwitchProps {
  label: string;
  help?: string;
  on: boolean;
  /** The help as a tooltip only. */
  compact?: boolean;
  onChange(on: boolean): void;
}

/** A labelled switch over the whole width of its row. */
export function Switch({ label, help, on, compact = false, onChange }: SwitchProps): ReactNode {
  const id = useId();
  return (
    <label htmlFor={id} className="relative flex items-center gap-3 py-2.5" title={compact ? help : undefined}>
      <span className="min-w-0 flex-1">
        <span className={compact ? 'block text-[13px] whitespace-nowrap' : 'block font-medium'}>{label}</span>
        {help && (
          <span id={`${id}-help`} className={compact ? 'sr-only' : 'block text-[12.5px] text-pretty text-soft'}>
            {help}
          </span>
        )}
      </span>
      <input
        id={id}
        type="checkbox"
        role="switch"
        aria-label={label}
        aria-describedby={help ? `${id}-help` : undefined}
        checked={on}
        onChange={(event) => onChange(event.target.checked)}
        className="peer sr-only"
      />
      <span
        aria-hidden
        className="settle flex h-6 w-10.5 shrink-0 items-center rounded-full border border-line-strong bg-sunken px-[3px] peer-checked:justify-end peer-checked:border-accent peer-checked:bg-accent peer-focus-visible:outline-2 peer-focus-visible:outline-offset-2 peer-focus-visible:outline-accent *:bg-line-strong peer-checked:*:bg-on-accent"
      >
        <span className="settle size-4 rounded-full" />
      </span>
    </label>
  );
}
