// undici's Pool alone. Importing all of undici (fetch, caches, mocks, WebSocket) costs 8 MB of RSS
// and 100 ms of start more than this file of it; it has no `exports` map, and its version is
// pinned.

declare module 'undici/lib/dispatcher/pool.js' {
  import { Pool } from 'undici';

  export default Pool;
}
