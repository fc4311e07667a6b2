/** Which of the two builds of the driver this is; a constant of the command line (asc --use CHECKED=0|1). */
declare const CHECKED: i32;
