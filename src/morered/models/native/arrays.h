// Arrays that come from Python, and what is refused of them.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <new>
#include <string>
#include <type_traits>

namespace nb = nanobind;

// nanobind refuses another element type, another device and gaps between rows with a TypeError. An argument that may be None
// arrives as an array that is not valid.
template <class T>
using Array = nb::ndarray<T, nb::c_contig, nb::device::cpu>;
using In = Array<const float>;
using Out = Array<float>;

// Arguments by name, of which no array is converted: a copy would take what a kernel writes away with it.
inline auto array(const char* name) { return nb::arg(name).noconvert(); }
inline auto array_or_none(const char* name) { return nb::arg(name).noconvert().none(); }

constexpr int64_t ANY = -1;

inline std::string shape_text(std::initializer_list<int64_t> shape) {
    std::string text = "[";
    for (const int64_t size : shape) text += (text.size() > 1 ? ", " : "") + (size == ANY ? std::string("any") : std::to_string(size));
    return text + "]";
}

// Refuses another shape.
template <class A>
void expect(const char* name, const A& given, std::initializer_list<int64_t> shape) {
    bool same = given.is_valid() && given.ndim() == shape.size();
    size_t k = 0;
    for (const int64_t size : shape) same = same && (size == ANY || int64_t(given.shape(k)) == size), ++k;
    if (same) return;
    std::string is = "None";
    if (given.is_valid()) {
        is = "of shape [";
        for (k = 0; k < given.ndim(); ++k) is += (k ? ", " : "") + std::to_string(given.shape(k));
        is += "]";
    }
    throw nb::value_error((std::string(name) + " must have the shape " + shape_text(shape) + ", but is " + is).c_str());
}

// The numbers of an array of this shape. Empty arrays may lie nowhere; they get an address, since null stands for None.
template <class T>
T* numbers(const char* name, const Array<T>& given, std::initializer_list<int64_t> shape) {
    static std::remove_const_t<T> nowhere;
    expect(name, given, shape);
    return given.data() ? given.data() : &nowhere;
}

// The same, or null where the argument is None.
template <class T>
T* numbers_or_null(const char* name, const Array<T>& given, std::initializer_list<int64_t> shape) {
    return given.is_valid() ? numbers(name, given, shape) : nullptr;
}

// Refuses what `holds` says is not so.
inline void require(bool holds, const char* message) {
    if (!holds) throw nb::value_error(message);
}

// Refuses parts that do not lie within 0..n.
inline void within(int64_t start, int64_t stop, int64_t n) {
    if (start < 0 || start > stop || stop > n)
        throw nb::value_error(("the part " + std::to_string(start) + ".." + std::to_string(stop) + " does not lie within 0.." +
                               std::to_string(n)).c_str());
}

// Memory for numbers, aligned to a cache line, not initialised.
template <class T>
class Buffer {
  public:
    explicit Buffer(int64_t count = 0) : numbers_(static_cast<T*>(::operator new(sizeof(T) * count, ALIGNMENT))) {}
    Buffer(const T* source, int64_t count) : Buffer(count) {
        if (count) std::memcpy(get(), source, sizeof(T) * count);
    }
    T* get() const { return numbers_.get(); }

  private:
    static constexpr std::align_val_t ALIGNMENT{64};
    struct Free {
        void operator()(T* numbers) const { ::operator delete(numbers, ALIGNMENT); }
    };
    std::unique_ptr<T, Free> numbers_;
};
