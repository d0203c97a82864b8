// Converts the output to Cloud Logging (`google_cloud` of fluentd, `stackdriver` of Fluent Bit) to
// options.

import type { ConfigKey } from '../options/options.ts';
import type { Draft, RuleGlobs } from './draft.ts';
import { directivesOf, isComputed, isOn, type Section } from './section.ts';

type OutputSite = { readonly draft: Draft; readonly subject: string; readonly globs: RuleGlobs };

/** Options that mean the same. */
const optionKeys: Readonly<Record<string, ConfigKey>> = {
  project_id: 'project',
  export_to_project_id: 'project',
  k8s_cluster_name: 'cluster',
  cluster_name: 'cluster',
  k8s_cluster_location: 'location',
  cluster_location: 'location',
  zone: 'location',
  location: 'location',
  vm_name: 'node',
  google_service_credentials: 'credentialsFile',
  service_account_path: 'credentialsFile',
  metadata_server: 'metadataHost',
  cloud_logging_base_url: 'endpoint',
  logging_api_url: 'endpoint',
  compress: 'gzip',
};

/** Fields whose names can be changed. */
const fieldKeys: Readonly<Record<string, { readonly action: string; readonly usual: RegExp }>> = {
  severity_key: { action: 'severity', usual: /severity$/ },
  text_payload_key: { action: 'message', usual: /^(?:log|message)$/ },
};

const isUnneeded =
  /^(?:@?type|@id|@log_level|name|match|alias|buffer|chunk|flush|retry|max_retry|num_threads|disable_retry|queue|overflow|slow_flush|workers|net\.|tls|storage|host$|port$|use_|enable_|monitoring|detect_|partial|split_|adjust_|kubernetes_|k8s_|custom_k8s|tag_prefix|resource$|stackdriver|prometheus|autoformat|coerce|require_valid|statusz|subservice|vm_|non_utf8|preserve_utf8|buffering|format)/;

export function takeStackdriver(section: Section, site: OutputSite): void {
  const { draft, subject, globs } = site;
  draft.note('taken', section, subject, 'entries go to Cloud Logging');
  for (const directive of section.directives) {
    const { value } = directive;
    const key = directive.key.toLowerCase();
    const option = optionKeys[key];
    const field = fieldKeys[key];
    const own = { place: directive, subject: key, globs };
    if (option !== undefined) {
      if (isComputed(value) || value.startsWith('@') || value === '') {
        draft.note('none', directive, key, `${value} is not known here: give --${option}`);
      } else if (option === 'gzip') {
        if (value === 'gzip') draft.setOption('gzip', true, directive, key);
      } else if (option === 'project' && globs !== undefined) {
        draft.addRule(own, { project: value });
      } else draft.setOption(option, value, directive, key);
    } else if (field !== undefined) {
      if (field.usual.test(value)) draft.note('taken', directive, key, value);
      else draft.addRule(own, { [field.action]: { from: value } });
    } else if (key === 'labels') takeLabels(section, site);
    else if (/(?:trace|span|http_request|insert_id|operation|source_location)\w*_key$/.test(key)) {
      const text = `${value}: the names are those of structured logging (docs/entries.md)`;
      draft.note('changed', directive, key, text);
    } else if (!isUnneeded.test(key)) draft.note('none', directive, key, value.slice(0, 120));
  }
  const [trace] = directivesOf(section, 'autoformat_stackdriver_trace');
  if (trace !== undefined && isOn(trace.value)) {
    draft.setOption('traceFormat', 'resource', trace, trace.key);
  }
  const buffers = [...section.directives, ...section.sections].find((each) => {
    return /^(?:buffer|chunk|flush|retry|workers|storage)/i.test(
      'key' in each ? each.key : each.name,
    );
  });
  if (buffers !== undefined) {
    const text = 'the files of the containers are the buffer, and nothing is given up';
    draft.note('changed', buffers, 'buffers and retries', text);
  }
}

/** JSON, or `a=b,c=d`. */
function takeLabels(section: Section, { draft, subject, globs }: OutputSite): void {
  for (const directive of directivesOf(section, 'labels')) {
    const labels: Record<string, string> = {};
    if (isComputed(directive.value)) {
      draft.note('none', directive, 'labels', `${directive.value} is computed`);
      continue;
    }
    const isJson = directive.value.startsWith('{');
    try {
      const pairs = isJson
        ? Object.entries(JSON.parse(directive.value) as object)
        : directive.value.split(/[\s,]+/).map((pair) => pair.split('='));
      for (const [key = '', value = ''] of pairs) {
        if (key !== '' && !isComputed(String(value))) labels[key] = String(value);
      }
    } catch {
      draft.note('none', directive, 'labels', directive.value.slice(0, 120));
    }
    const isEmpty = Object.keys(labels).length === 0;
    if (!isEmpty) draft.addRule({ place: directive, subject, globs }, { labels });
  }
}
