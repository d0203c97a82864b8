// A self-signed certificate for 127.0.0.1, `localhost` and `logging.test`, made by each test
// run, so that no key is in the repository and none ever expires.

import { generateKeyPairSync, sign } from 'node:crypto';

export type TestCertificate = { readonly key: string; readonly cert: string };

const ecdsaWithSha256 = oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02);
const commonName = oid(0x55, 0x04, 0x03);
const subjectAltName = oid(0x55, 0x1d, 0x11);
const basicConstraints = oid(0x55, 0x1d, 0x13);

export type CertificateFlaw = 'expired' | 'other host';

/** Key and certificate, PEM; good but for the flaw. */
export function makeTestCertificate(flaw?: CertificateFlaw): TestCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = sequence(ecdsaWithSha256);
  const name = sequence(tlv(0x31, sequence(commonName, text(0x0c, 'tailship test'))));
  const names =
    flaw === 'other host'
      ? sequence(text(0x82, 'elsewhere.test'))
      : sequence(
          text(0x82, 'localhost'),
          text(0x82, 'logging.test'),
          tlv(0x87, Buffer.from([127, 0, 0, 1])),
        );
  const end = flaw === 'expired' ? text(0x17, '210101000000Z') : text(0x18, '21200101000000Z');
  const constraints = sequence(tlv(0x01, Buffer.from([0xff])));
  const extensions = sequence(
    sequence(basicConstraints, tlv(0x04, constraints)),
    sequence(subjectAltName, tlv(0x04, names)),
  );
  const signed = sequence(
    tlv(0xa0, integer(2)),
    integer(1),
    algorithm,
    name,
    sequence(text(0x17, '200101000000Z'), end),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, extensions),
  );
  const signature = sign('sha256', signed, privateKey);
  const der = sequence(signed, algorithm, tlv(0x03, Buffer.concat([Buffer.from([0]), signature])));
  // A blank line at the end would end the certificate before its end.
  const lines = (der.toString('base64').match(/.{1,64}/g) ?? []).join('\n');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
  };
}

function tlv(tag: number, value: Buffer): Buffer {
  const { length: bytes } = value;
  // DER takes the shortest form only, and the length of a signature varies.
  const length =
    bytes < 128 ? [bytes] : bytes < 256 ? [0x81, bytes] : [0x82, bytes >>> 8, bytes & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), value]);
}

function sequence(...values: Buffer[]): Buffer {
  return tlv(0x30, Buffer.concat(values));
}

function oid(...bytes: number[]): Buffer {
  return tlv(0x06, Buffer.from(bytes));
}

function integer(value: number): Buffer {
  return tlv(0x02, Buffer.from([value]));
}

function text(tag: number, value: string): Buffer {
  return tlv(tag, Buffer.from(value, 'latin1'));
}
