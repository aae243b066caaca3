/** The gallery's page: a row a state, its pictures side by side, found by name. Opens from the disk. */
export function contactSheet(
  states: readonly string[],
  languages: readonly string[],
  themes: readonly string[],
  widths: readonly string[],
): string {
  const variants = widths.flatMap((width) =>
    languages.flatMap((language) => themes.map((theme) => `${language}.${theme}.${width}`)),
  );
  const picture = (state: string, variant: string) => {
    const file = `${state}.${variant}.png`;
    return `<a href="${file}"><img loading="lazy" src="${file}" alt="${file}" title="${variant}"></a>`;
  };
  const rows = states.map(
    (state) =>
      `<section id="${state}"><h2><a href="#${state}">${state}</a></h2><div>${variants
        .map((variant) => picture(state, variant))
        .join('')}</div></section>`,
  );
  return `<!doctype html>
<meta charset="utf-8">
<title>Warren: every state</title>
<style>
  body { margin: 24px; font: 14px system-ui, sans-serif; background: #8b8f98; }
  nav { columns: 12em; }
  nav a, h2 a { color: inherit; }
  div { display: flex; gap: 12px; overflow-x: auto; align-items: flex-start; }
  img { height: 420px; border-radius: 6px; }
</style>
<h1>Warren: every state</h1>
<nav>${states.map((state) => `<a href="#${state}">${state}</a><br>`).join('')}</nav>
${rows.join('\n')}
`;
}
