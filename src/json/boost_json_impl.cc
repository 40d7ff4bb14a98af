// Boost.JSON's one compiled copy: every other file only declares what it uses.
#include <boost/json/src.hpp>
