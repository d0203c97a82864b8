import { expect, test } from 'vitest';
import { namesInDirectory } from '../../src/tail/container-names.ts';

test("the directory of a log names its container, if it is the kubelet's", () => {
  expect(namesInDirectory('/var/log/pods/shop_cart-0_0a1b-2c/api')).toEqual({
    namespace: 'shop',
    pod: 'cart-0',
    container: 'api',
  });
  for (const other of ['/var/lib/docker/containers/0a1b', '/var/log/pods', '/state/orphans']) {
    expect(namesInDirectory(other)).toBeUndefined();
  }
});
