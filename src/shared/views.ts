/**
 * Views of a shared memory that never go stale.
 *
 * When a thread grows a shared memory, the buffers that others have stay good, but end where the memory ended before. A
 * block may lie beyond, for example one that another thread has allocated and sent. So every access asks the memory for
 * its buffer, which costs some 15 to 50 ns: a loop should take the typed array once.
 */
import { MemoryViews, type WholeViews } from "../base/views.js";

/** MemoryViews of a memory whose buffer is shared. For one thread, as are all views. */
export class SharedMemoryViews extends MemoryViews<SharedArrayBuffer> {
  override get current(): WholeViews<SharedArrayBuffer> {
    return this.renew();
  }
}
