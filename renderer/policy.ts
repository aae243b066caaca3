/** Imported before any schema: zod compiles its parsers unless told, and the page's policy forbids that. */
import * as z from 'zod';

z.config({ jitless: true });
