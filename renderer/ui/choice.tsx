import { type ReactNode, useId } from 'react';

interface ChoiceProps<T extends string> {
  label: string;
  help?: string;
  value: T;
  options: readonly { value: T; label: string; help?: string }[];
  disabled?: boolean;
  onChange(value: T): void;
}

/** One of few, as real radio buttons side by side. */
export function Choice<T extends string>({
  label,
  help,
  value,
  options,
  disabled,
  onChange,
}: ChoiceProps<T>): ReactNode {
  const name = useId();
  return (
    <fieldset
      disabled={disabled}
      className="min-w-0 disabled:opacity-60"
      aria-describedby={help ? `${name}-help` : undefined}
    >
      <legend className="mb-1.5 text-[13px] font-semibold">{label}</legend>
      <div className="flex gap-1 rounded-lg border border-line bg-sunken p-1">
        {options.map((option) => (
          <label
            key={option.value}
            title={option.help}
            className="settle relative flex min-h-9 min-w-0 flex-1 items-center justify-center rounded-md px-2 py-1 text-center text-[13.5px] text-soft hover:text-text has-checked:bg-raised has-checked:font-semibold has-checked:text-text has-checked:shadow-card has-focus-visible:outline-2 has-focus-visible:outline-accent"
          >
            <input
              type="radio"
              name={name}
              value={option.value}
              checked={option.value === value}
              onChange={() => onChange(option.value)}
              className="absolute inset-0 cursor-pointer opacity-0"
            />
            {option.label}
          </label>
        ))}
      </div>
      <p id={`${name}-help`} className="mt-1 text-[12.5px] text-soft empty:hidden">
        {options.find((option) => option.value === value)?.help ?? help}
      </p>
    </fieldset>
  );
}
