// As calls.c, in Rust: a generic function, a method of a trait, a closure that is inlined.
#![crate_type = "cdylib"]

#[link(wasm_import_module = "env")]
extern "C" {
    fn sample(n: i32);
}

trait Shape {
    fn area(&self) -> i32;
}

struct Square(i32);

impl Shape for Square {
    #[inline(never)]
    fn area(&self) -> i32 {
        unsafe { sample(self.0) };
        self.0 * self.0
    }
}

#[inline(never)]
fn measure<S: Shape>(shape: &S) -> i32 {
    let twice = |n: i32| n + shape.area();
    twice(1)
}

#[no_mangle]
pub extern "C" fn run(n: i32) -> i32 {
    measure(&Square(n)) + 1
}
