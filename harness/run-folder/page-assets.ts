/** The files that go into a report's page whole: the report's room is pure and reads none. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { PageAssets } from '#harness/report/index-html.ts';

const { resolve } = createRequire(import.meta.url);

export async function readPageAssets(): Promise<PageAssets> {
  // The library's CommonJS entry stands in the folder of its minified script and style.
  const library = dirname(resolve('uplot'));
  const page = dirname(resolve('#harness/report/page/page.js'));
  const [plotScript, plotStyle, pageScript, pageStyle] = await Promise.all([
    readFile(join(library, 'uPlot.iife.min.js'), 'utf8'),
    readFile(join(library, 'uPlot.min.css'), 'utf8'),
    readFile(join(page, 'page.js'), 'utf8'),
    readFile(join(page, 'page.css'), 'utf8'),
  ]);
  return { plotScript, plotStyle, pageScript, pageStyle };
}
