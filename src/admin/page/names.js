// The name of a container in a row: where there is no room it is cut within the pod's name, so that
// the suffix, which tells replicas apart, and the container stay visible.

/** Of a pod's name; a ReplicaSet's suffix has 5 and its hash up to 10. */
const suffixLength = 12;

/** @param {string} className @param {string} text */
function span(className, text) {
  const part = document.createElement('span');
  part.className = className;
  part.textContent = text;
  return part;
}

/** @param {{ namespace: string, pod: string, container: string }} workload */
export function nameOf({ namespace, pod, container }) {
  const name = document.createElement('span');
  name.className = 'name';
  name.title = [namespace, pod, container].filter((text) => text !== '').join(' / ');
  if (namespace !== '') name.append(span('namespace', namespace), span('slash', '/'));
  if (pod !== '') {
    const whole = span('pod', '');
    const cutAt = Math.max(0, pod.length - suffixLength);
    if (cutAt > 0) whole.append(span('start', pod.slice(0, cutAt)));
    whole.append(span('end', pod.slice(cutAt)));
    name.append(whole);
  }
  // A file that is no container's has only one name, which gets no lozenge.
  if (container !== '') name.append(span(pod === '' ? 'pod' : 'container', container));
  return name;
}

/** `checkout-5…-m7wzp`: at most `length` characters. @param {string} text @param {number} length */
export function cutMiddle(text, length) {
  if (text.length <= length) return text;
  const tail = Math.min(suffixLength, Math.floor(length / 2));
  return `${text.slice(0, length - tail - 1)}…${text.slice(-tail)}`;
}
