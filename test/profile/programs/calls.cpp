// As calls.c, with what C++ has names for.
extern "C" __attribute__((import_module("env"), import_name("sample"))) void sample(int);

namespace {
struct Hidden {
  int value;
  __attribute__((noinline)) int take() const {
    sample(value);
    return value;
  }
};
}  // namespace

namespace shapes {
template <typename T>
struct Box {
  T value;
  __attribute__((noinline)) T open() const;
};

template <typename T>
T Box<T>::open() const {
  Hidden hidden{static_cast<int>(value)};
  return static_cast<T>(hidden.take());
}
}  // namespace shapes

extern "C" __attribute__((export_name("run"))) int run(int n) {
  auto call = [](int value) __attribute__((noinline)) {
    shapes::Box<long long> box{value};
    return static_cast<int>(box.open());
  };
  return call(n) + 1;
}
