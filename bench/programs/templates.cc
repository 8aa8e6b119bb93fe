// What a C++ compiler works at: templates of the standard library, as many times as STOREYS says.
#include <algorithm>
#include <array>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

template <int N> struct tower {
    tower<N - 1> below;
    std::map<std::array<int, N + 1>, std::vector<std::string>> here;
    std::function<int(const tower &)> count = [](const tower &t) { return (int)t.here.size() + N; };
    int all() const { return count(*this) + below.all(); }
};

template <> struct tower<0> {
    int all() const { return 0; }
};

template <std::size_t... I> auto squares(std::index_sequence<I...>)
{
    return std::make_tuple(std::integral_constant<std::size_t, I * I>{}...);
}

int main()
{
    auto all = std::make_unique<tower<STOREYS>>();
    std::variant<int, std::string, std::vector<double>> any = "text";
    std::unordered_map<std::string, decltype(any)> names{{"one", any}, {"two", 2}};
    std::cout << all->all() << std::tuple_size_v<decltype(squares(std::make_index_sequence<100>{}))>
              << names.size() << std::endl;
}
