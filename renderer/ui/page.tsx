import { type ReactNode, useId } from 'react';

/** A section that scrolls as a whole. */
export function Page({ title, lead, children }: { title: string; lead?: string; children: ReactNode }): ReactNode {
  return (
    // A page that scrolls must be reachable by keyboard, whatever it holds.
    <div tabIndex={0} className="min-h-0 flex-1 overflow-y-auto -outline-offset-2">
      <div className="mx-auto w-full max-w-5xl px-4 py-5 sm:px-8 sm:py-8">
        <header className="mb-5">
          <h1 className="text-2xl font-semibold tracking-tight">{title}</h1>
          {lead && <p className="text-soft">{lead}</p>}
        </header>
        {children}
      </div>
    </div>
  );
}

export function Card({
  title,
  lead,
  children,
}: {
  title: string;
  lead?: string | undefined;
  children: ReactNode;
}): ReactNode {
  const id = useId();
  return (
    <section aria-labelledby={id} className="min-w-0 rounded-2xl border border-line bg-surface p-4 shadow-card sm:p-5">
      <h2 id={id} className="font-semibold">
        {title}
      </h2>
      {lead && <p className="text-[13px] text-soft">{lead}</p>}
      <div className="mt-3">{children}</div>
    </section>
  );
}
