// What this compiler's headers refer to and the libstdc++ and glibc of older systems lack. Defined here, it is found
// before theirs, so the library asks for no newer libstdc++ than libtorch itself does. docs/natives.md says which one.

#include <new>
#include <sstream>

// The constructors without arguments are in libstdc++ only since GCC 9; the headers declare them as being there.
template std::ostringstream::basic_ostringstream();
template std::stringstream::basic_stringstream();

#if defined(__GLIBCXX__) && __GNUC__ >= 11
namespace std {
// Since GCC 11, for std::allocator.
void __throw_bad_array_new_length() {
    throw std::bad_array_new_length();
}
} // namespace std
#endif

// glibc 2.32 says with it that a process has one thread, so that counters of references need not be atomic. A JVM has
// many.
extern "C" __attribute__((visibility("hidden"))) char __libc_single_threaded;
char __libc_single_threaded = 0;
