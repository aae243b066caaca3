import { type ComponentProps, type ReactNode, useId } from 'react';

export const INPUT =
  'settle w-full min-w-0 rounded-lg border border-line-strong bg-raised px-3 text-text placeholder:text-soft hover:enabled:border-soft disabled:opacity-60';

interface FieldProps extends ComponentProps<'input'> {
  label: string;
  /** For a screen reader only. */
  labelHidden?: boolean;
  hint?: string;
  /** What is wrong with what was typed. */
  problem?: string | undefined;
  /** Buttons at the end of the input. */
  tools?: ReactNode;
}

export function Field({
  label,
  labelHidden = false,
  hint,
  problem,
  tools,
  className = '',
  ...rest
}: FieldProps): ReactNode {
  const id = useId();
  const help = `${id}-help`;
  return (
    <div className={className}>
      <label htmlFor={id} className={labelHidden ? 'sr-only' : 'mb-1.5 block text-[13px] font-semibold'}>
        {label}
      </label>
      <div className="relative">
        <input
          id={id}
          dir="auto"
          className={`${INPUT} h-11 text-[15px] ${tools ? 'pe-20' : ''} ${problem ? 'border-danger' : ''}`}
          aria-describedby={hint || problem ? help : undefined}
          aria-invalid={problem ? true : undefined}
          autoComplete="off"
          spellCheck={false}
          {...rest}
        />
        {tools && <div className="absolute inset-y-0 end-1 flex items-center">{tools}</div>}
      </div>
      {(problem || hint) && (
        <p id={help} className={`mt-1 text-[12.5px] ${problem ? 'text-danger' : 'text-soft'}`}>
          {problem || hint}
        </p>
      )}
    </div>
  );
}
