/** The free list's placement policy; a constant of the command line (asc --use POLICY=0|1|2). */
declare const POLICY: i32;
