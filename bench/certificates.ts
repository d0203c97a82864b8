// A certificate authority that lives for one benchmark run, and a certificate of it for 127.0.0.1,
// made by openssl, for the scenarios over https.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

/** PEM files. */
export type Certificates = {
  readonly caFile: string;
  readonly keyFile: string;
  readonly certificateFile: string;
};

/** Writes them into `folder`. Throws when there is no openssl. */
export function makeCertificates(folder: string): Certificates {
  const file = (name: string) => path.join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const [caFile, caKeyFile] = [file('ca.pem'), file('ca-key.pem')];
  const [certificateFile, keyFile] = [file('sink.pem'), file('sink-key.pem')];
  const authority = ['-x509', '-days', '2', '-subj', '/CN=tailship bench', '-keyout', caKeyFile];
  openssl('req', ...newKey, ...authority, '-out', caFile);
  openssl('req', ...newKey, '-subj', '/CN=127.0.0.1', '-keyout', keyFile, '-out', file('sink.csr'));
  writeFileSync(file('extensions'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  const signer = ['-CA', caFile, '-CAkey', caKeyFile, '-CAcreateserial', '-days', '2'];
  const wanted = ['-in', file('sink.csr'), '-extfile', file('extensions')];
  openssl('x509', '-req', ...wanted, ...signer, '-out', certificateFile);
  return { caFile, keyFile, certificateFile };
}
