// Which files the page of the emulator consists of.

import { baseStyle, type PageTable } from '../../page-file.ts';

const own = (name: string): URL => new URL(name, import.meta.url);

export const pageTable: PageTable = {
  '/': own('page.html'),
  '/base.css': baseStyle,
  '/page.css': own('page.css'),
  '/page.js': own('page.js'),
  '/entries.js': own('entries.js'),
  '/faults.js': own('faults.js'),
  '/histogram.js': own('histogram.js'),
};
