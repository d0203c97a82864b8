// The files of the agent's page.

import { baseStyle, type PageTable } from '../page-file.ts';

const own = (name: string): URL => new URL(`page/${name}`, import.meta.url);
const plot = (name: string): URL => new URL(name, import.meta.resolve('uplot'));

export const pageTable: PageTable = {
  '/': own('page.html'),
  '/base.css': baseStyle,
  '/page.css': own('page.css'),
  '/page.js': own('page.js'),
  '/address.js': own('address.js'),
  '/clock.js': own('clock.js'),
  '/copy.js': own('copy.js'),
  '/detail.js': own('detail.js'),
  '/journal.js': own('journal.js'),
  '/letters.js': own('letters.js'),
  '/live-tail.js': own('live-tail.js'),
  '/logs-link.js': own('logs-link.js'),
  '/losses.js': own('losses.js'),
  '/names.js': own('names.js'),
  '/numbers.js': own('numbers.js'),
  '/plots.js': own('plots.js'),
  '/severities.js': own('severities.js'),
  '/workload-samples.js': own('workload-samples.js'),
  '/workloads.js': own('workloads.js'),
  '/uplot.js': plot('uPlot.iife.min.js'),
  '/uplot.css': plot('uPlot.min.css'),
};
