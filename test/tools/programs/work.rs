// Work on Rust's allocator, for the tests of gomalloc swap: maps, strings, vectors that grow, aligned boxes.
use std::collections::{BTreeMap, HashMap};

#[no_mangle]
pub extern "C" fn work(seed: u32, steps: u32) -> u32 {
    let mut x = seed;
    let mut sum = 0u32;
    let mut texts: BTreeMap<u32, String> = BTreeMap::new();
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    for i in 0..steps {
        x = x.wrapping_mul(1103515245).wrapping_add(12345);
        let key = (x >> 8) % 5000;
        if x & 0x100 != 0 {
            texts.insert(key, format!("{}-{}", i, key));
        } else if let Some(text) = texts.remove(&key) {
            sum = sum.wrapping_mul(31).wrapping_add(text.bytes().map(u32::from).sum::<u32>());
        }
        if x & 0x200 != 0 {
            // zeroed, then grown
            blocks.push(vec![0u8; (key % 700) as usize]);
        } else if let Some(mut block) = blocks.pop() {
            block.extend_from_slice(&i.to_le_bytes());
            sum = sum.wrapping_add(block.iter().map(|b| u32::from(*b)).sum::<u32>()).rotate_left(3);
            blocks.insert(blocks.len() / 2, block);
            if blocks.len() > 200 {
                blocks.truncate(50);
            }
        }
    }
    let lengths: HashMap<u32, usize> = texts.iter().map(|(key, text)| (*key, text.len())).collect();
    sum.wrapping_add(lengths.values().sum::<usize>() as u32)
}

#[repr(align(256))]
struct Wide([u8; 512]);

// How many of n aligned boxes are not aligned or do not keep what was written.
#[no_mangle]
pub extern "C" fn misaligned(n: u32) -> u32 {
    let all: Vec<Box<Wide>> = (0..n).map(|i| Box::new(Wide([i as u8; 512]))).collect();
    let wrong = |b: &Wide| (b as *const Wide as usize) % 256 != 0 || b.0[0] != b.0[511];
    let mut many: Vec<Wide> = Vec::new();
    for i in 0..n {
        many.push(Wide([i as u8; 512]));
    }
    (all.iter().filter(|b| wrong(b)).count() + many.iter().filter(|b| wrong(b)).count()) as u32
}
