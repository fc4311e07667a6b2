/** Which of the two builds of the driver this is; a constant of the command line (asc --use CHECKED=0|1). */
declare const CHECKED: i32;

/** The alignment that the allocator promises blocks below 8 bytes; a constant of the command line too. */
declare const SMALL_ALIGNMENT: i32;
